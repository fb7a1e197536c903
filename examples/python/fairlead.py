"""A client for functions that Fairlead serves by HTTP. One file, standard library only: copy it into your project.

    from fairlead import Client

    client = Client("https://functions.example.com", key)
    client.invoke("mq.sender", "Hello")           # waits, and returns the function's answer
    client.publish("report.build", {"year": 2026})  # stored, run later, tried again if it fails

A payload of bytes or str goes as it is, None is no data, and anything else goes as JSON.
"""

import base64
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
import uuid

__all__ = ["Client", "FairleadError"]


class FairleadError(Exception):
    """Why there is no answer.

    status is the HTTP status, or 0 if nobody answered. retryable says whether the same call may succeed
    later, and retry_after how many seconds to wait at least, or None.
    """

    def __init__(self, message, status=0, retry_after=None):
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after

    @property
    def retryable(self):
        return self.status in (0, 408, 429, 500, 502, 503, 504)


class Client:
    """Calls functions at one URL. It may be used by several threads.

    key is an API key (a security definition of type apikey; header is the one that holds it), token one of
    type jwt, and user a pair of name and password. context is an ssl.SSLContext, for an authority of your
    own or a client certificate. timeout is in seconds, for each call.
    """

    def __init__(self, url, key=None, *, header="X-API-Key", token=None, user=None, timeout=30, context=None):
        self.url = url.rstrip("/")
        self.timeout = timeout
        self._credentials = {}
        if key:
            self._credentials[header] = key
        if token:
            self._credentials["Authorization"] = "Bearer " + token
        if user:
            pair = base64.b64encode(":".join(user).encode()).decode()
            self._credentials["Authorization"] = "Basic " + pair
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context or ssl.create_default_context()), _Stay()
        )

    def __repr__(self):
        return f"Client({self.url!r})"  # not the key

    def invoke(self, function, payload=None, *, content_type=None, headers=None):
        """Calls a function and returns its answer: parsed if it is JSON, a str if it is text, None if there
        is none, else bytes."""
        return self.request("POST", "/functions/" + urllib.parse.quote(function, safe=""), payload, content_type=content_type, headers=headers)

    def publish(self, function, payload=None, *, id=None, source="/fairlead.py", content_type=None):
        """Stores an event for a function and returns its id. Publishing the same id from the same source
        again is publishing it once, so a caller who got no answer may ask again with it."""
        id = id or str(uuid.uuid4())
        attributes = {"specversion": "1.0", "id": id, "source": source, "type": "fairlead.message"}
        headers = {"ce-" + name: _escape(value) for name, value in attributes.items()}
        headers["Prefer"] = "respond-async"
        return self.invoke(function, payload, content_type=content_type, headers=headers)["id"]

    def request(self, method, path, payload=None, *, content_type=None, headers=None):
        """Asks for a path, such as that of an http trigger, and returns the answer as invoke does."""
        body, media_type = _encode(payload)
        headers = {**(headers or {}), **self._credentials, "Accept": "*/*"}
        if body is not None:
            headers["Content-Type"] = content_type or media_type
        elif method in ("POST", "PUT", "PATCH"):
            body = b""
            headers["Content-Type"] = content_type or "application/octet-stream"
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        try:
            with self._opener.open(request, timeout=self.timeout) as response:
                return _decode(response.status, response.headers.get("Content-Type", ""), response.read())
        except urllib.error.HTTPError as error:
            with error:
                raise _error(error) from None
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            raise FairleadError(f"{method} {self.url}{path}: {getattr(error, 'reason', error)}") from error


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the credentials are for this URL alone."""

    def redirect_request(self, *_):
        return None


def _encode(payload):
    if payload is None:
        return None, ""
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return bytes(payload), "application/octet-stream"
    if isinstance(payload, str):
        return payload.encode(), "text/plain; charset=utf-8"
    return json.dumps(payload).encode(), "application/json"


def _decode(status, content_type, body):
    if status == 204 or not body:
        return None
    media_type = content_type.split(";")[0].strip().lower()
    if media_type == "application/json" or media_type.endswith("+json"):
        return json.loads(body)
    if media_type.startswith("text/"):
        return body.decode()
    return body


def _error(error):
    detail = error.reason
    try:
        detail = json.loads(error.read()).get("detail") or detail
    except (ValueError, AttributeError, OSError):
        pass  # a proxy's answer
    after = error.headers.get("Retry-After", "")
    return FairleadError(f"{error.code}: {detail}", error.code, int(after) if after.isdigit() else None)


def _escape(value):
    """Makes a header of a CloudEvents attribute."""
    return urllib.parse.quote(value, safe="!#$&'()*+,-./:;<=>?@[\\]^_`{|}~")
