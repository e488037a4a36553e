"""LeadConduit."""
