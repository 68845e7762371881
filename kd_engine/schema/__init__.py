"""What all rooms speak: errors, events, reports, the strict base of specs. No torch."""
