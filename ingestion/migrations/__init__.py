"""The steps by which Django brings a database to the tables of models/."""
