"""The API for programs and for the pages' own scripts: one small file per resource, thin doors."""
