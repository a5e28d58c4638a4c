# redraw: gnuplot growth.gp (in this directory)
set terminal svg size 900,460 font 'DejaVu Sans,13' background '#ffffff' noenhanced
if (!exists('output_name')) output_name = 'growth.svg'
set output output_name
set datafile separator tab
set border 3 linecolor '#555555'
set tics nomirror out
set grid xtics linetype 1 linecolor '#e4e4e4'
set key top right reverse Left samplen 1.5
set title "What does a task cost as there are more of them?" font ',15' offset 0,0.6
set logscale x
set xrange [7:*]
set xtics ('10' 10, '100' 100, '1000' 1e3, '10^4' 1e4, '10^5' 1e5, '10^6' 1e6, '10^7' 1e7, '10^8' 1e8)
set key outside right top
set rmargin 28
set xlabel 'tasks, or numbers of the map (logarithmic)'
set ylabel 'time per task (logarithmic)'
set grid ytics linetype 1 linecolor '#e4e4e4'
set logscale y
set ytics ("0.1 ns" 0.1, "1 ns" 1e0, "10 ns" 1e1, "100 ns" 1e2, "1 us" 1e3, "10 us" 1e4, "100 us" 1e5, "1 ms" 1e6, "10 ms" 1e7, "100 ms" 1e8, "1 s" 1e9, "10 s" 1e10, "100 s" 1e11)
plot 'growth.dat' index 0 using 1:2 with linespoints linewidth 2 dashtype 1 pointtype 7 linecolor '#0072B2' title 'map, processes', \
 'growth.dat' index 1 using 1:2 with linespoints linewidth 2 dashtype 1 pointtype 7 linecolor '#D55E00' title 'map, threads', \
 'growth.dat' index 2 using 1:2 with linespoints linewidth 2 dashtype 2 pointtype 5 linecolor '#0072B2' title 'apply_async, processes', \
 'growth.dat' index 3 using 1:2 with linespoints linewidth 2 dashtype 2 pointtype 5 linecolor '#D55E00' title 'apply_async, threads'
