"""The gate on everything a frame costs: exact counts against budgets, and times against another commit's."""
