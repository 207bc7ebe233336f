"""No two declarations meet in one name, whatever users call their apps and checks."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from soloscope_demo.stack.render import nix
from soloscope_demo.tools.venvs import checkout

#: Every way to split a joined name is among their pairs.
NAMES = ("a", "a-b", "b", "b-a", "a_b", "check", "redis-a")


def test_each_key_and_password_is_a_credential_of_its_own(tmp_path: Path) -> None:
    modules = checkout() / "modules"
    names = " ".join(f'"{name}"' for name in NAMES)
    wrapper = tmp_path / "credentials.nix"
    wrapper.write_text(
        f"""
        let
          each = make: builtins.listToAttrs (
            map (name: {{ inherit name; value = make name; }}) [ {names} ]
          );
          soloscope = import {modules}/with-defaults.nix {{
            apps = each (app: {{
              redis.url = "redis://127.0.0.1:6379";
              redis.prefix = "${{app}}:";
              redis.passwordFile = "/run/${{app}}";
              checks = each (check: {{
                kind = "api";
                url = "https://example.org/";
                keyFile = "/run/${{app}}/${{check}}";
              }});
            }});
          }};
          paths = (import {modules}/paths.nix).host;
        in
        builtins.mapAttrs
          (_: room: import (room + "/settings.nix") {{ inherit soloscope paths; }})
          {{
            file = {modules}/configuration;
            serve = {modules}/exporter;
            probe = {modules}/probe;
          }}
        """
    )
    settings = nix(str(wrapper))
    apps = settings["file"]["configuration"]["apps"]
    passwords, keys = (settings[room]["credentials"] for room in ("serve", "probe"))
    for app, check in product(NAMES, NAMES):
        key = apps[app]["checks"][check]["keyFile"]["credential"]
        assert keys[key] == f"/run/{app}/{check}"
        password = apps[app]["redis"]["passwordFile"]["credential"]
        assert passwords[password] == f"/run/{app}"
