# A NixOS host that soloscope monitors. Replace OWNER below by the account that you
# took this template from.
{
  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    soloscope = {
      url = "github:OWNER/soloscope";
      inputs.nixpkgs.follows = "nixpkgs"; # one nixpkgs to download, not two
    };
  };

  outputs =
    { nixpkgs, ... }@inputs:
    {
      nixosConfigurations.myhost = nixpkgs.lib.nixosSystem {
        specialArgs = { inherit inputs; };
        modules = [ ./configuration.nix ];
      };
    };
}
