# "Every Monday to Friday from 22:00 for 4 hours, Europe/London time."
output "window" {
  value = provider::refit::describe_window("mon-fri", "22:00", "Europe/London", "4h")
}
