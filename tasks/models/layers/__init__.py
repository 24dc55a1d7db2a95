"""What a model composes: content, graphs, item graphs, row gathering, the CLIPER front end."""
