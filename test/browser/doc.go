// Package browser tests the dashboard in a real Chromium: every page and every
// action, on a host with Postgres and Artemis, at the width of a desktop and of a
// phone, in light and in dark.
//
// It is a module of its own, so that what drives the browser does not become a
// dependency of Fairlead. "make test" runs it; from this folder
//
//	go test .
//
// does, too. Pictures of all pages go to the folder that FAIRLEAD_SCREENSHOTS
// names. FAIRLEAD_UPDATE_IMAGES=1 makes those in docs/images anew.
package browser
