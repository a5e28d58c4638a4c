# redraw: gnuplot sync.gp (in this directory)
set terminal svg size 900,460 font 'DejaVu Sans,13' background '#ffffff' noenhanced
if (!exists('output_name')) output_name = 'sync.svg'
set output output_name
set datafile separator tab
set border 3 linecolor '#555555'
set tics nomirror out
set grid xtics linetype 1 linecolor '#e4e4e4'
set key top right reverse Left samplen 1.5
set title "How long does a call keep its caller?" font ',15' offset 0,0.6
set ytics ("executor submit, threads" 1, "executor submit, processes" 2, "apply_async, threads" 3, "apply_async, processes" 4, "apply, threads" 5, "apply, processes" 6, "executor map, threads" 7, "executor map, processes" 8, "map_async, threads" 9, "map_async, processes" 10, "map, threads" 11, "map, processes" 12)
set yrange [0.3:12.7]
set xrange [0:100]
set xlabel 'share of the time until the last result, %'
set lmargin 26
set key outside right center
set rmargin 28
plot 'sync.dat' using ($4==0?$1:1/0):3:1:2:($3-0.32):($3+0.32) with boxxyerror fillstyle solid 0.85 noborder linecolor '#0072B2' title 'in the call, processes', \
 '' using ($4==1?$1:1/0):3:1:2:($3-0.32):($3+0.32) with boxxyerror fillstyle solid 0.85 noborder linecolor '#D55E00' title 'in the call, threads', \
 '' using ($4==2?$1:1/0):3:1:2:($3-0.32):($3+0.32) with boxxyerror fillstyle solid 1 noborder linecolor '#d8d8d8' title 'free for other work'
