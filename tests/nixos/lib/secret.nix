# A secret that no evaluation knows, in `file`, made before the units `before`; the
# first of them needs it.
#
#   { file, before } -> a module
{ file, before }:
{
  systemd.services.test-secrets = {
    requiredBy = [ (builtins.head before) ];
    inherit before;
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      StateDirectory = baseNameOf (dirOf file);
      UMask = "0077";
    };
    script = ''
      test -s ${file} || head -c 20 /dev/urandom | base32 > ${file}
    '';
  };
}
