# The demo's app, declared as a user declares theirs under `services.soloscope`:
# plain data, builtins only. The demo, the tests and the NixOS checks read it.
{
  enable = true;
  timeZone = "Europe/Berlin";
  alertmanager.enable = true;
  apps.languagebuddy = {
    title = "LanguageBuddy";
    units = [ "languagebuddy-backend.service" ];
    timeZone = "UTC";
    redis.url = "redis://127.0.0.1:6379";
    counters = {
      conversations.help = "Conversations started";
      digests_created.help = "Digests created";
      digests_failed.help = "Digests that failed";
      deficiencies_practiced.help = "Deficiencies practised";
      trial_conversions.help = "Trials that became subscriptions";
    };
    breakdowns.deficiencies.help = "Deficiencies practised, by kind";
    uniques.active_users.help = "Users who wrote";
    timings = {
      redis.help = "Calls to Redis";
      openai.help = "Calls to OpenAI";
    };
    gauges = {
      users_total.help = "Registered users";
      users_premium.help = "Users with a subscription";
      users_trial_ending.help = "Trials that end within three days";
      revenue_monthly = {
        help = "Monthly recurring revenue";
        unit = "currencyUSD";
      };
      digests_pending.help = "Digests waiting to be made";
      conversations_active.help = "Conversations under way";
      users_to_reengage.help = "Users to write to again";
    };
    jobs.digest = {
      counter = "digests_created";
      by = "04:00";
    };
    user = {
      idByPhone = "phone:{phone}";
      records = {
        profile = {
          title = "Profile and subscription";
          order = 1;
          key = "user:{id}";
          times = [
            "created_at"
            "trial_ends_at"
          ];
        };
        conversation = {
          title = "Conversation";
          order = 2;
          key = "conversation:{id}";
          times = [
            "started_at"
            "ended_at"
          ];
        };
        digests = {
          title = "Last three digests";
          order = 3;
          key = "digests:{id}";
          times = [ "created_at" ];
        };
        deficiencies = {
          title = "Deficiencies";
          order = 4;
          key = "deficiencies:{id}";
          times = [ "last_practiced_at" ];
        };
      };
    };
    validators = {
      deficiencies = {
        events.practised = {
          event = "deficiency_practiced";
          min = 1;
        };
        records.recorded = {
          record = "deficiencies";
          times = [ "last_practiced_at" ];
        };
        moves.last_practiced = {
          event = "deficiency_practiced";
          record = "deficiencies";
          field = "last_practiced_at";
          entry = "deficiency";
        };
      };
      digests = {
        jobs = [ "digest" ];
        events.failures = {
          event = "digest_failed";
          of = "digest_created";
          maxPercent = 50;
        };
        moves.profile = {
          event = "digest_created";
          record = "digests";
          field = "created_at";
        };
      };
      timestamps = {
        records.dated = {
          record = "digests";
          times = [ "created_at" ];
        };
        gaps.computed = {
          event = "time_gap";
          field = "gap_hours";
          after = "conversation_ended";
        };
      };
      throttling.limits.trial = {
        event = "conversation_ended";
        count = "message_count";
        max = 30;
        record = "profile";
        field = "plan";
        value = "trial";
        refusal = "throttled";
      };
    };
    health.url = "http://127.0.0.1:8080/api/health";
    metrics = {
      url = "http://127.0.0.1:8080/metrics";
      areas = [
        "http"
        "database"
        "cache"
        "tasks"
        "messaging"
        "integrations"
        "realtime"
        "security"
      ];
    };
  };
}
