"""The results page: what is run, how a row is read from its runs, and how the page is written."""
