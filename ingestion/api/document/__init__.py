"""The OpenAPI document: what it adds to the endpoints, and its page to read.

May use: api.http.
Entry points: openapi, reference.
"""
