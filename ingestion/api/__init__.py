"""The JSON API: every endpoint parses, calls one verb of a service, and answers.

May use: api.document, api.http, services.security.
Entry points: app.
"""
