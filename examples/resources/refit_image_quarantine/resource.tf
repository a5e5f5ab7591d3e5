resource "refit_image_quarantine" "kernel_panics" {
  image_id = "ami-0123456789abcdef0"
  reason   = "kernel panics under load, see INC-4711"
  until    = "2027-01-31T18:00:00Z" # leave it out for a ban without end
}
