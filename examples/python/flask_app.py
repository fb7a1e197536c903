"""A Flask application that puts what it gets on a queue, through a function: flask --app flask_app run"""

import os

from fairlead import Client, FairleadError
from flask import Flask, jsonify, request

app = Flask(__name__)
functions = Client(os.environ["FAIRLEAD_URL"], os.environ["FAIRLEAD_KEY"])


@app.post("/messages")
def send():
    functions.invoke("mq.sender", request.get_data(as_text=True))
    return "", 204


@app.post("/later")
def later():
    return jsonify(id=functions.publish("mq.sender", request.get_data(as_text=True), id=request.args.get("id")))


@app.errorhandler(FairleadError)
def failed(error):
    return jsonify(error=str(error)), 503 if error.retryable else 502
