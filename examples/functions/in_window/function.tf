locals {
  window = { day = "wed", time = "15:00", timezone = "Europe/London", duration = "4h" }
}

# A plan outside the window says so.
check "window" {
  assert {
    condition = provider::refit::in_window(local.window.day, local.window.time, local.window.timezone,
    local.window.duration, plantimestamp())
    error_message = "The window of production is closed now."
  }
}
