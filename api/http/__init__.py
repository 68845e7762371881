"""HTTP as the routes need it: bodies, queries, errors, entity tags, ranges, page tokens."""
