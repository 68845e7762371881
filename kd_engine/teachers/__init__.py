"""Where a teacher's answers come from: computed, or found in the store of its logits."""
