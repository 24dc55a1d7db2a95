"""What a model composes: graphs, item graphs, row gathering, the CLIPER front end."""
