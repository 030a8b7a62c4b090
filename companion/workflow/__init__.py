"""The plan of a report, its execution, and what is out of date."""
