"""What both ends of the wire share (docs/protocol.md): paths, JSON, answers, and refusals."""
