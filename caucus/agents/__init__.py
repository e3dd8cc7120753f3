"""The agents' door without HTTP: what an agent is told, and the tools that it has. Over the interfaces."""
