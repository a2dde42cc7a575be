"""Nodes: the engines' instances (an Envoy and its relay), who may be one, and what was last published to them."""
