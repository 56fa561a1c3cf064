# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# The chart of demo.sh: data and boot (name, vmm, bpf) and image are set by -e.
set terminal pngcairo size 1400,620 font "DejaVu Sans,13" background "#ffffff"
set output image
set style fill solid 1.0 noborder
set boxwidth 0.36
set yrange [0:*]
set ytics nomirror scale 0
set xtics nomirror scale 0 offset 0,-0.2 textcolor rgb "#222222"
set grid ytics lc rgb "#e4e4e4" lw 1
set border 1 lc rgb "#888888"
set bmargin 4
set tmargin 3.5
set multiplot

set origin 0, 0
set size 0.83, 1
set title "What one read of a register costs, by who answers the guest" font ",16" offset 0,0.3
set ylabel "instructions per read (guest + kernel + VMM)" offset -0.5,0
set xrange [-0.5:6.5]
set yrange [0:9000]
set key top left Left reverse samplen 1.5 spacing 1.4
set lmargin 11
plot data using 0:(NaN):xtic(1) with points notitle, \
     '' using ($0 - 0.19):2 with boxes title "VMM: heavy exit" lc rgb "#9aa5b1", \
     '' using ($0 + 0.19):3 with boxes title "BPF in the kernel: light exit" lc rgb "#d9730d", \
     '' using ($0 - 0.19):2:(sprintf("%.0f", $2)) with labels offset 0,0.8 notitle, \
     '' using ($0 + 0.19):3:(sprintf("%.0f", $3)) with labels offset 0,0.8 notitle, \
     '' using ($0 + 0.19):($3 / 2):(sprintf("-%.0f%%", 100 - 100 * $3 / $2)) with labels \
	tc rgb "#ffffff" notitle

set origin 0.83, 0
set size 0.17, 1
set title "Heavy exits" font ",16" offset 0,0.3
unset ylabel
set xrange [-0.5:0.5]
set yrange [0:*]
set lmargin 8
unset key
plot boot using 0:(NaN):xtic(1) with points, \
     '' using ($0 - 0.19):2 with boxes lc rgb "#9aa5b1", \
     '' using ($0 + 0.19):3 with boxes lc rgb "#d9730d", \
     '' using ($0 - 0.19):2:(sprintf("%.0f", $2)) with labels offset 0,0.8, \
     '' using ($0 + 0.19):3:(sprintf("%.0f", $3)) with labels offset 0,0.8
unset multiplot
