terraform import refit_patch_schedule.web web
