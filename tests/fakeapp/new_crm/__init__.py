"""An app with the CRM that the next version of the project has."""
