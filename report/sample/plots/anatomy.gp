# redraw: gnuplot anatomy.gp (in this directory)
set terminal svg size 900,560 font 'DejaVu Sans,13' background '#ffffff' noenhanced
if (!exists('output_name')) output_name = 'anatomy.svg'
set output output_name
set datafile separator tab
set border 3 linecolor '#555555'
set tics nomirror out
set grid xtics linetype 1 linecolor '#e4e4e4'
set key top right reverse Left samplen 1.5
set title "How much of each time do counts x prices explain? (n = 10^7)" font ',15' offset 0,0.6
set ytics ("map, processes" 15, "map, threads" 14, "map, control" 13, "map_async, processes" 12, "map_async, threads" 11, "executor map, processes" 10, "executor map, threads" 9, "apply_async, processes" 8, "apply_async, threads" 7, "executor submit, processes" 6, "executor submit, threads" 5, "apply, processes" 4, "apply, threads" 3, "spawn, bounded, processes" 2, "spawn, bounded, threads" 1)
set label '568 % predicted' at 158,7 right front font ',10'
set xlabel 'share of the measured time, %'
set xrange [0:160]
set yrange [0.3:15.7]
set key outside right top
set lmargin 26
set rmargin 20
set arrow from 100,0.3 to 100,15.7 nohead front linecolor '#000000' dashtype 2
set label 'measured' at 100,15.55 offset 0.4,0 font ',10'
plot 'anatomy.dat' index 0 using 1:2:1:3:($2-0.32):($2+0.32) with boxxyerror fillstyle solid 0.85 noborder linecolor '#000000' title 'squares', \
 'anatomy.dat' index 1 using 1:2:1:3:($2-0.32):($2+0.32) with boxxyerror fillstyle solid 0.85 noborder linecolor '#CC79A7' title 'starting workers', \
 'anatomy.dat' index 2 using 1:2:1:3:($2-0.32):($2+0.32) with boxxyerror fillstyle solid 0.85 noborder linecolor '#E69F00' title 'waking', \
 'anatomy.dat' index 3 using 1:2:1:3:($2-0.32):($2+0.32) with boxxyerror fillstyle solid 0.85 noborder linecolor '#56B4E9' title 'handing over', \
 'anatomy.dat' index 4 using 1:2:1:3:($2-0.32):($2+0.32) with boxxyerror fillstyle solid 0.85 noborder linecolor '#009E73' title 'copying', \
 'anatomy.dat' index 5 using 1:2:1:3:($2-0.32):($2+0.32) with boxxyerror fillstyle solid 0.85 noborder linecolor '#F0E442' title 'page faults'
