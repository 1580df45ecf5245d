"""The assessment, the plan, its approval, its waves, and the pages that show them."""
