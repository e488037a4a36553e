"""Lets a client that knows only Google's address speak to the sandbox."""

from requests.adapters import HTTPAdapter

GOOGLE = "https://sheets.googleapis.com"


class Rewriting(HTTPAdapter):
    def __init__(self, base_url):
        super().__init__()
        self.base_url = base_url

    def send(self, request, **options):
        request.url = request.url.replace(GOOGLE, self.base_url, 1)
        return super().send(request, **options)
