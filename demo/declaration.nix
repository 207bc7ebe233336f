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
      conversations = {
        help = "Conversations";
        order = 20;
      };
      digests_created = {
        help = "Digests created";
        order = 30;
      };
      digests_failed.help = "Digests failed";
      deficiencies_practiced.help = "Deficiencies practised";
      trial_conversions = {
        help = "Trials won";
        group = "Under way and waiting";
      };
    };
    breakdowns.deficiencies = {
      help = "Top deficiencies";
      order = 40;
    };
    uniques.active_users = {
      help = "Users active";
      order = 10;
    };
    timings = {
      redis.help = "Redis response";
      openai.help = "OpenAI response";
    };
    gauges = {
      users_total.help = "Total users";
      users_premium.help = "Premium subscribers";
      users_trial_ending.help = "Trials ending soon";
      revenue_monthly = {
        help = "Monthly revenue";
        unit = "currencyUSD";
        group = "Under way and waiting";
      };
      digests_pending = {
        help = "Digests to make";
        group = "Under way and waiting";
      };
      conversations_active = {
        help = "Open conversations";
        group = "Under way and waiting";
      };
      users_to_reengage = {
        help = "Users to write to";
        group = "Under way and waiting";
      };
    };
    jobs.digest = {
      help = "Nightly digests";
      counter = "digests_created";
      failures = "digests_failed";
      by = "04:00";
    };
    digest = {
      lines = [
        "👥 Users: {gauges.users_total} total ({uniques.active_users} active {day})"
        "💬 Conversations: {counters.conversations} {day}"
        "📝 Digests created: {jobs.digest} last night"
        "💰 Revenue: {gauges.users_premium} premium ({gauges.revenue_monthly} MRR)"
        "⚠️ Issues: {jobs.digest.failures|digest failure|digest failures}"
      ];
      top.deficiencies = {
        title = "Top 3 deficiencies practiced:";
        line = "{key} ({count|user|users})";
      };
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
        manual = [ "Chat with a test user: the greeting mentions a deficiency" ];
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
        manual = [ "Make a digest by hand: the profile has new memos, the conversation is cleared" ];
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
        manual = [ "Send messages with different gaps: the conversation ends in a natural way" ];
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
    dashboard = {
      rows = [
        [
          "gauges.users_total"
          "uniques.active_users"
          "ratios.premium"
          "gauges.users_trial_ending"
          "counters.conversations"
        ]
        [
          "counters.digests_created"
          "ratios.digest_success"
          "timings.openai"
          "timings.redis"
        ]
      ];
      hide = [
        "counters.deficiencies_practiced"
        "gauges.users_premium"
      ];
      events = [
        "digest_.+"
        "conversation_.+"
        "trial_.+"
        "throttled"
        "critical_error"
      ];
      ratios = {
        premium = {
          help = "Premium subscribers";
          part = "gauges.users_premium";
          of = [ "gauges.users_total" ];
        };
        digest_success = {
          help = "Digest success rate";
          part = "counters.digests_created";
          of = [
            "counters.digests_created"
            "counters.digests_failed"
          ];
        };
      };
      thresholds = {
        "ratios.digest_success" = {
          orange = 0.95;
          red = 0.8;
        };
        "timings.openai" = {
          orange = 3;
          red = 10;
        };
        "timings.redis" = {
          orange = 0.02;
          red = 0.1;
        };
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
