package host

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/framework/config/stored"
)

// Apply implements [admin.ConfigEditor].
func (b backend) Apply(ctx context.Context, d admin.Document, o admin.ApplyOptions) (admin.Applied, error) {
	objects, rest, err := config.Objects([]byte(d.Text), filepath.Base(cmp.Or(d.File, "document")))
	if err != nil {
		return admin.Applied{}, wrong(err)
	}
	var i *importation
	err = b.edit(ctx, func(e *edition) error {
		if keys := e.now.Differs(rest); len(keys) > 0 {
			return said(admin.ErrBadRequest, "%s: found something else than what runs, expected the same or nothing, as only a file can say it", strings.Join(keys, ", "))
		}
		i = &importation{edition: e}
		return i.run(objects, o)
	})
	if err != nil {
		return admin.Applied{}, err
	}
	return i.done, nil
}

// An importation puts the objects of a document into the store.
type importation struct {
	*edition
	mine []config.Object // that are to be in the store
	gone []stored.Object // that are to be deleted
	done admin.Applied
}

func (i *importation) run(objects []config.Object, o admin.ApplyOptions) error {
	if err := i.sort(objects); err != nil {
		return err
	}
	if o.Prune {
		i.prune(objects)
	}
	next := i.with(i.mine)
	for _, o := range i.gone {
		next.Objects = slices.DeleteFunc(next.Objects, func(old stored.Object) bool { return old.String() == o.String() })
	}
	cfg, err := i.host.compose(i.base, &next)
	if err != nil {
		return wrong(err)
	}
	i.done.Plan = admin.Plan{
		Generation: i.host.progress.get().Generation, Steps: steps(i.now, cfg), Refused: text(keepsBacklogs(i.now, cfg)),
	}
	write := i.write
	if o.DryRun {
		write = i.pretend
	}
	if err := write(cfg); err != nil {
		return err
	}
	slices.SortFunc(i.done.Objects, func(a, b admin.Result) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	if i.done.Generation = i.Generation; !i.Dirty() {
		i.done.Generation-- // none was made
	}
	if o.DryRun {
		return errDry
	}
	return nil
}

// sort tells what the file owns from what is to be in the store.
func (i *importation) sort(objects []config.Object) error {
	var errs []error
	for _, o := range objects {
		switch {
		case !i.now.Has(o.Kind, o.Name) || i.now.Stored(o.Kind, o.Name):
			i.mine = append(i.mine, o)
		case i.now.Same(o):
			i.add(o, admin.Passed, 0)
		default:
			errs = append(errs, owned(i.now, o.Kind, o.Name))
		}
	}
	return errors.Join(errs...)
}

// prune selects what is in the store and not in the document.
func (i *importation) prune(objects []config.Object) {
	for _, old := range i.Objects {
		if !slices.ContainsFunc(objects, func(o config.Object) bool { return o.String() == old.String() }) {
			i.gone = append(i.gone, old)
		}
	}
}

func (i *importation) add(o config.Object, action string, version int64) {
	i.done.Objects = append(i.done.Objects, admin.Result{Kind: o.Kind, Name: o.Name, Action: action, Version: version})
}

// write writes it all.
func (i *importation) write(cfg *config.Config) error {
	for _, o := range i.mine {
		action, err := i.putOne(cfg, o)
		if err != nil {
			return err
		}
		now, _ := i.Object(o.Kind, o.Name)
		i.add(o, cmp.Or(action, admin.Unchanged), now.Version)
	}
	for _, o := range i.gone {
		if err := i.Change.Delete(o.Kind, o.Name); err != nil {
			return err
		}
		i.add(o.Object, admin.Removed, 0)
	}
	return i.tidy(i.gone)
}

// pretend says what write would do.
func (i *importation) pretend(cfg *config.Config) error {
	for _, o := range i.mine {
		now, there := i.Object(o.Kind, o.Name)
		switch {
		case !there:
			i.add(o, admin.Created, 0)
		case now.Text != cfg.ExportObject(o.Kind, o.Name):
			i.add(o, admin.Changed, now.Version)
		default:
			i.add(o, admin.Unchanged, now.Version)
		}
	}
	for _, o := range i.gone {
		i.add(o.Object, admin.Removed, 0)
	}
	return nil
}
