"""What a request means: judged, taken to its route, described. HTTP itself is the edge's."""
