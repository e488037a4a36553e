"""What the CRMs really send: each test serves what one of them was reported to answer, runs the sync
with its real source, and compares the warehouse with values known beforehand."""
