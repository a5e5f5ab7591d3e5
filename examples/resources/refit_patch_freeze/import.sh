terraform import refit_patch_freeze.year_end year-end
