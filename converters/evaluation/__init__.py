"""What a conversion did to a network: agreement, latency, bytes; and what peers do to it."""
