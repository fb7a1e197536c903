"""Calls a function with requests, without the client: python with_requests.py FUNCTION TEXT"""

import os
import sys

import requests

response = requests.post(
    os.environ["FAIRLEAD_URL"] + "/functions/" + sys.argv[1],
    data=sys.argv[2].encode(),
    headers={"X-API-Key": os.environ["FAIRLEAD_KEY"], "Content-Type": "text/plain"},
    timeout=30,
)
if not response.ok:
    sys.exit(response.json()["detail"])
print(response.text)
