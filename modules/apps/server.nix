# The server of services.redis.servers.* that a URL names by its socket or its port on
# this machine, or null.
{ config, lib }:
text:
let
  urls = import ../urls.nix;
  url = if text == null then null else urls.parse text;
  named =
    server:
    server.enable
    && (
      if url.scheme == "unix" then
        server.unixSocket == url.path
      else
        server.port != 0 && server.port == urls.defaultPort url
    );
  local = url != null && urls.isLocal url;
in
lib.findFirst named null (if local then lib.attrValues config.services.redis.servers else [ ])
