"""Rules that judge recorded facts and act through the services' verbs, each within its limits."""
