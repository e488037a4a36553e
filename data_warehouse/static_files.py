"""Names of static files, for pages that must not break where something is missing."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedWhereCollected(CompressedManifestStaticFilesStorage):
    """The hashed name of a file that collectstatic has seen, the plain name of any other: an error
    page, or the login of an installation where it has not run, is served all the same."""

    def stored_name(self, name: str) -> str:
        try:
            return str(super().stored_name(name))
        except ValueError:
            return name
