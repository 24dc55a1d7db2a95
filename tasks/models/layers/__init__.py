"""Components of models: content, graphs, item graphs, row gathering, the CLIPER front end."""
