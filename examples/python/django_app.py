"""A Django project in one file that puts what it gets on a queue, through a function:
python django_app.py runserver --noreload 127.0.0.1:8000"""

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from fairlead import Client, FairleadError

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__, SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY", "for this example only")
)
functions = Client(os.environ["FAIRLEAD_URL"], os.environ["FAIRLEAD_KEY"])


@csrf_exempt  # called by programs, not from a page
@require_POST
def send(request):
    try:
        functions.invoke("mq.sender", request.body.decode())
    except FairleadError as error:
        return JsonResponse({"error": str(error)}, status=503 if error.retryable else 502)
    return HttpResponse(status=204)


urlpatterns = [path("messages", send)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
