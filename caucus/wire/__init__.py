"""What both ends of the wire share (contract, section 5): paths, JSON, answers, and refusals."""
