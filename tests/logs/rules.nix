# The rules of Loki's ruler, for the tests.
import ../../modules/loki/rules.nix { }
