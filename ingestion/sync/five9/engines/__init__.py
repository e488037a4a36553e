"""How Five9 is spoken to: SOAP by zeep, over the common HTTP layer."""
