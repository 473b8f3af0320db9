"""Labels by people, without any page: the label set on disk, automatic labels, the corrector."""
