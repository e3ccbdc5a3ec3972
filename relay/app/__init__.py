"""The service: settings, HTTP API, webhooks, logs, command line."""
