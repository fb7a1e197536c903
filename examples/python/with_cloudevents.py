"""Sends a CloudEvent to a function with the CloudEvents SDK, in binary and in structured mode, and reads the
CloudEvent that comes back: python with_cloudevents.py FUNCTION TEXT"""

import os
import sys

import requests
from cloudevents.core.bindings.http import HTTPMessage, from_http_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

url = os.environ["FAIRLEAD_URL"] + "/functions/" + sys.argv[1]
event = CloudEvent({"type": "com.example.hello", "source": "/examples/python", "subject": "ein Gruß"}, sys.argv[2])

for encode in (to_binary_event, to_structured_event):
    message = encode(event)
    response = requests.post(
        url, data=message.body, headers={**message.headers, "X-API-Key": os.environ["FAIRLEAD_KEY"]}, timeout=30
    )
    response.raise_for_status()
    if response.status_code == 204:
        print("no answer")
        continue
    answer = from_http_event(HTTPMessage(headers=dict(response.headers), body=response.content))
    print(answer.get_type(), answer.get_data())
