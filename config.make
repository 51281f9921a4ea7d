
# Copyright (C) The ngx_referral_module authors


# The dashboard: three files made one, as bytes for the C compiler.

cat << END                                                    >> $NGX_MAKEFILE

$NGX_OBJS/addon/dashboard/ngx_http_referral_page.c: \\
	$ngx_addon_dir/tools/embed-dashboard \\
	$ngx_addon_dir/ngx_referral_module/dashboard/index.html \\
	$ngx_addon_dir/ngx_referral_module/dashboard/dashboard.css \\
	$ngx_addon_dir/ngx_referral_module/dashboard/dashboard.js
	@mkdir -p $NGX_OBJS/addon/dashboard
	$ngx_addon_dir/tools/embed-dashboard \\
	    $ngx_addon_dir/ngx_referral_module/dashboard > \$@.new
	mv \$@.new \$@

END
