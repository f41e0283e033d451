"""Parses files by the grammar of their language, and says where they are not of it: parse.py kotlin|groovy FILE."""

import importlib
import sys

import tree_sitter

language, path = sys.argv[1:]
grammar = tree_sitter.Language(importlib.import_module(f"tree_sitter_{language}").language())
with open(path, "rb") as file:
    tree = tree_sitter.Parser(grammar).parse(file.read())


def faults(node):
    if node.is_error or node.is_missing:
        yield node
    for child in node.children:
        yield from faults(child)


wrong = list(faults(tree.root_node))
for node in wrong:
    print(f"{path}:{node.start_point.row + 1}:{node.start_point.column + 1}: this is no {language}", file=sys.stderr)
sys.exit(1 if wrong or not tree.root_node.children else 0)
