# A NixOS module: a chat app with all kinds of counts, its own metrics, a
# database, an outside API, and Grafana under a name of its own. Secrets are
# files that something else (sops-nix, agenix) puts on the host.
# checks.<system>.examples evaluates it.
{
  services.redis.servers.languagebuddy = {
    enable = true;
    requirePassFile = "/run/secrets/languagebuddy-redis";
  };
  services.postgresql.enable = true;
  security.acme = {
    acceptTerms = true;
    defaults.email = "admin@example.org";
  };

  services.soloscope = {
    enable = true;
    timeZone = "Europe/Berlin"; # the developer's
    domain = "grafana.example.org"; # nginx with a certificate from ACME
    grafana.adminPasswordFile = "/run/secrets/grafana-admin-password";
    loki.retention = "30d";
    prometheus.retention = "1y";

    apps.languagebuddy = {
      title = "LanguageBuddy";
      units = [
        "languagebuddy-backend.service"
        "languagebuddy-worker.service"
      ];
      redis.url = "unix:///run/redis-languagebuddy/redis.sock"; # with the requirePassFile above

      counters = {
        conversations.help = "Conversations started";
        digests_created.help = "Digests created";
        digests_failed.help = "Digests failed";
        trial_conversions.help = "Trials won";
        trials_expired.help = "Trials lost";
      };
      breakdowns.deficiencies.help = "Deficiencies practised, by kind";
      uniques.active_users.help = "Users who wrote";
      timings.openai.help = "Calls to OpenAI";
      gauges = {
        users_total.help = "Registered users";
        users_premium.help = "Users with a subscription";
        revenue_monthly = {
          help = "Monthly recurring revenue";
          unit = "currencyUSD";
        };
      };
      jobs.digest = {
        counter = "digests_created";
        failures = "digests_failed";
        by = "04:00";
      };
      dashboard.ratios.trial_conversion = {
        help = "Trials that became subscriptions";
        part = "counters.trial_conversions";
        of = [
          "counters.trial_conversions"
          "counters.trials_expired"
        ];
      };
      # The message of each morning: docs/digest.md.
      digest = {
        lines = [
          "👥 Users: {gauges.users_total} total ({uniques.active_users} active {day})"
          "💬 Conversations: {counters.conversations} {day}"
          "📝 Digests created: {jobs.digest} last night"
          "💰 Revenue: {gauges.users_premium} premium ({gauges.revenue_monthly} MRR)"
          "⚠️ Issues: {jobs.digest.failures|digest failure|digest failures}"
          # has no line in a week without the end of a trial
          "🎯 Trials that became premium: {ratios.trial_conversion} in 7 days"
        ];
        top.deficiencies = {
          title = "Top 3 deficiencies practiced:";
          line = "{key} ({count|user|users})";
        };
      };

      health.url = "http://127.0.0.1:8080/api/health";
      metrics = {
        url = "http://127.0.0.1:8080/metrics";
        # what dashboards and rules know as -> what the app calls it
        names.http_requests_total = "api_request_total";
      };
      checks.openai = {
        kind = "api";
        url = "https://api.openai.com/v1/models";
        keyFile = "/run/secrets/openai";
      };
      postgres.socket = "/run/postgresql";
      objectives.availability = 0.99;
    };
  };
}
