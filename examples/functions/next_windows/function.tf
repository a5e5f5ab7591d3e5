# Patch Tuesday plus three days: the next three windows.
output "next" {
  value = provider::refit::next_windows("2nd tue +3d", "02:00", "Europe/London", "4h", plantimestamp(), 3)
}
