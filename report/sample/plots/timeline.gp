# redraw: gnuplot timeline.gp (in this directory)
set terminal svg size 900,480 font 'DejaVu Sans,13' background '#ffffff' noenhanced
if (!exists('output_name')) output_name = 'timeline.svg'
set output output_name
set datafile separator tab
set border 3 linecolor '#555555'
set tics nomirror out
set grid xtics linetype 1 linecolor '#e4e4e4'
set key top right reverse Left samplen 1.5
set title "Who ran which task, and when" font ',15' offset 0,0.6
set ytics ("map, process 1" 0.0, "map, process 2" -1.0, "map, thread 1" -2.0, "map, thread 2" -3.0, "apply, process 1" -4.6, "apply, process 2" -5.6, "apply, thread 1" -6.6, "apply_async, process 1" -8.2, "apply_async, process 2" -9.2, "apply_async, thread 1" -10.2, "apply_async, thread 2" -11.2)
set xlabel 'milliseconds since the first task of that strategy began'
set yrange [-11.9:0.7]
set xrange [0:*]
unset key
set lmargin 26
set rmargin 4
plot 'timeline.dat' using (($5==0)?$1:1/0):3:1:2:($3-0.36):($3+0.36) with boxxyerror linecolor '#0072B2' fillstyle solid 0.35 border, \
 '' using (($5==1)?$1:1/0):3:1:2:($3-0.36):($3+0.36) with boxxyerror linecolor '#D55E00' fillstyle solid 0.35 border, \
 '' using ($2-$1>0.756069?($1+$2)/2:1/0):3:4 with labels font ',9' textcolor '#000000'
